"""What people upload: received, and read row by row, bounded in memory and time, whatever its bytes are.

archive.py      the ZIP that a workbook is, of which only what is named is unpacked, and never too much
cells.py        what a spreadsheet's cell says as text: numbers to the digit, dates, truth values
content.py      what a file is by its content, and the words for what it should not be
delimited.py    CSV: records of cells, quoted newlines among them
encodings.py    which encoding a text file has
multipart.py    a form with a file, taken as it comes (RFC 7578)
old_excel.py    `.xls`, read in a process of its own
opening.py      an upload to a table, by its content
sheet.py        one sheet of a workbook, row by row
strings.py      the strings that the cells of a workbook share
upload.py       the values: an upload, its header, its rows, why it cannot be read
workbook.py     `.xlsx`: its sheets, its formats, and which sheet has the numbers
xls_child.py    what the process for `.xls` runs
xml.py          XML without entities, of bounded depth and tokens
"""

"""What people upload: received, and read row by row.

multipart.py  A form with a file, taken as it comes: the file goes to the disk, its fields are bounded (RFC
              7578)
"""

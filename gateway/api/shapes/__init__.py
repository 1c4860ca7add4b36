"""What the API takes and shows: requests and answers as values, described for OpenAPI.

agent.py         Agents as the API shows and takes them
batch.py         Batches as the API shows them, in the reference platform's field names
batch_answers.py What is asked of batches, and what that is answered with, in the reference platform's
                 words
batch_form.py    What a form that makes a batch may say, and the batch that it asks for
batch_report.py  What a file of recipients has in it, as the API shows it
call.py          Calls as the API shows them, in the reference platform's field names, and described for
                 OpenAPI
call_export.py   Calls as a CSV file, written while it is read
call_query.py    Which calls to list: the reference platform's filters, as query parameters, to the store's
                 own
call_request.py  What a request for a call may say, and the call that it stands for
do_not_call.py   Do-not-call lists as the API shows and takes them
number.py        Phone numbers as the API shows and takes them, in the reference platform's field names
page.py          Lists that are given a page at a time: how a page is asked for, and its shape
"""

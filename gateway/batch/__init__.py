"""A file of recipients becomes calls, and bad rows become an answer.

files/    Bytes of an upload to rows of text, and the form that brings the file
"""

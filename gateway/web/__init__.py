"""The dashboard: server-rendered pages, beside the API on the gateway's HTTP port."""

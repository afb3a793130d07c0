"""Pages of documents, on the blueprint of clients: the tab, the upload, one document, its file, the decisions."""

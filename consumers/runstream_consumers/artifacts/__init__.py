"""The artifacts consumer: versions of artifacts, their aliases and links, and which runs made and used them."""

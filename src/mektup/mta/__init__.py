"""What a mail transfer agent asks, beside LMTP: who may log in to send mail, and which addresses there are."""

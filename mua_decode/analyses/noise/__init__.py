"""What a protocol finds in sites that know nothing."""

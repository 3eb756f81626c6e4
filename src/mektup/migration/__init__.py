"""Mail from elsewhere and to elsewhere: sources of many kinds, one importer for all of them, and exports."""

"""One room for every question: its options, computation, figure, table of the paper and command."""

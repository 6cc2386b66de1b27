"""Trait labels of recordings and photographs: from texts, from candidates, and from probes, with the evidence."""

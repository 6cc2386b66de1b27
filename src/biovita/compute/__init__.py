"""What work needs of a machine: cores, and the pipeline that loads ahead of the encoder."""

"""One family of networks per file; `dnnbrain.networks.registry` lists them all."""

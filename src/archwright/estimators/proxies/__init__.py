"""Zero-cost proxies: what a network says of itself before it is trained. One file, one paper."""

"""A small internet in network namespaces: hosts behind kernel NATs, a core, and public servers.

spec      what a site is: the words of --site
addresses who has which address
nat       the nftables ruleset of each kind of router
plan      the commands that build everything, one shell script per namespace
network   builds a plan, runs programs in it, opens sockets in it, cuts paths
isolate   the private namespaces that a lab lives in, so that nothing outlives it
transfer  files through a pipe, both ways
flood     a stranger beside the server who sends forged datagrams
services  the signaling server and coturn
holder    the process that keeps the lab of `scripts/lab up`
cli       scripts/lab
"""

"""``eacf enforce``: the agent on the gateway, which puts into nftables what Zeek asks for, and takes it away in time.

Reading order: `ruleset` (what can be in place, and how it reads for nft), `asked` (an act by itself), `ledger` (what is to
be in place), `nft` and `table` (what is), `memory` (what outlives a restart), `agent` (messages in, answers out), `loop`.
"""

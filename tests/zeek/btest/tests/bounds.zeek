# @TEST-DOC: What finds a bound reached is shed, has its line and its place in the account, which closes.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: mkdir flows bytes
# @TEST-EXEC: cd flows && without-worker zeek -C -r ../demo.pcap %INPUT EACF::max_held_flows=10
# @TEST-EXEC: cd bytes && without-worker zeek -C -r ../demo.pcap %INPUT EACF::max_held_bytes=9000
# @TEST-EXEC: for bound in flows bytes; do zeek-cut reason < $bound/eacf.log | sort | uniq -c | awk '{ print $2, ($1 > 10) }'; done > reasons
# @TEST-EXEC: btest-diff reasons
# @TEST-EXEC: for bound in flows bytes; do zeek-cut collected no_worker shed pending held < $bound/eacf_stats.log | tail -1 | awk '$1 != $2 + $3 || $4 + $5 > 0 { exit 1 }'; done
# @TEST-EXEC: for bound in flows bytes; do test $(zeek-cut uid < $bound/eacf.log | wc -l) = $(zeek-cut collected < $bound/eacf_stats.log | tail -1); done
# @TEST-EXEC: cat flows/most bytes/most > most
# @TEST-EXEC: btest-diff most

@load eacf

module EACF;

redef capture_wait = 100msec;

global most_flows = 0;
global most_bytes = 0;

# Any event of a connection at work will do.
event ssl_established(c: connection)
	{
	if ( held_flows > most_flows )
		most_flows = held_flows;
	if ( held_bytes > most_bytes )
		most_bytes = held_bytes;
	}

# A connection that is taken up just below the bound on bytes may bring as many as its window.
event zeek_done()
	{
	local f = open("most");
	print f, max_held_flows == 10 ? most_flows <= 10 : most_bytes < 9000 + 10 * 3000;
	close(f);
	}

# @TEST-DOC: Zeek's telemetry has the account, term by term.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: without-worker zeek -C -r demo.pcap %INPUT
# @TEST-EXEC: zeek-cut collected no_worker shed excluded messages labelled < eacf_stats.log | tail -1 > account
# @TEST-EXEC: awk '$1 == "eacf_zeek_collected_flows_total" { c = $2 } $2 == "no_worker" { n = $3 } $2 == "shed" { s = $3 } $1 == "eacf_zeek_excluded_connections_total" { e = $2 } $1 == "eacf_zeek_sent_messages_total" { m = $2 } $2 == "labelled" { l = $3 } END { printf "%d\t%d\t%d\t%d\t%d\t%d\n", c, n, s, e, m, l }' metrics | diff account -
# @TEST-EXEC: awk '$1 < 50 || $1 != $2 + $3 || $2 * $3 * $4 == 0 { exit 1 }' account
# @TEST-EXEC: awk '$1 != "eacf_zeek_info" { NF--; print }' metrics | LC_ALL=C sort > names
# @TEST-EXEC: btest-diff names

@load eacf

redef EACF::capture_wait = 100msec;
redef EACF::max_held_flows = 10;
redef EACF::ignore_ports = { 993/tcp };

event zeek_done() &priority=-20
	{
	local f = open("metrics");
	for ( _, metric in Telemetry::collect_metrics("eacf_zeek", "*") )
		print f, fmt("%s %s %.0f", metric$opts$name, join_string_vec(metric$label_values, ","), metric$value);
	close(f);
	}

# @TEST-DOC: Connections are left alone by port, by subnet and by a hook, and are counted as excluded; a hook may be switched at run time.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: without-worker zeek -C -r demo.pcap %INPUT EACF::capture_wait=100msec
# @TEST-EXEC: zeek-cut id.resp_p < eacf.log | sort | uniq -c | awk '{ print $2 }' > ports
# @TEST-EXEC: btest-diff ports
# @TEST-EXEC: btest-diff account

@load eacf

redef EACF::ignore_ports = { 993/tcp };
redef EACF::ignore_subnets = { [2001:db8::]/32 };

hook EACF::collect_policy(c: connection)
	{
	if ( c?$ssl && c$ssl?$server_name && /video/ in c$ssl$server_name )
		break;
	}

event zeek_done() &priority=-20
	{
	local f = open("account");
	print f, EACF::account$excluded > 0, EACF::account$collected > 0, EACF::account$collected == EACF::account$no_worker;
	close(f);
	}

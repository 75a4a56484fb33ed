# @TEST-DOC: Record lengths alone: the TLS analyzer is switched off behind the last record that is needed, unless the operator keeps it on.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: mkdir off kept without
# @TEST-EXEC: cd off && without-worker zeek -C -r ../demo.pcap ../records.zeek %INPUT
# @TEST-EXEC: cd kept && without-worker zeek -C -r ../demo.pcap ../records.zeek %INPUT SSL::disable_analyzer_after_detection=F
# @TEST-EXEC: cd without && zeek -C -r ../demo.pcap %INPUT SSL::disable_analyzer_after_detection=F
#
# Nothing is heard of a connection in the packets behind its eighth record; with the analyzer kept on, as much as without the package.
# @TEST-EXEC: awk '$2 > 8 && $4 > $3 { print; wrong = 1 } END { exit wrong }' off/heard
# @TEST-EXEC: awk '$2 >= 8 { needed++ } END { exit needed < 50 }' off/heard
# @TEST-EXEC: diff kept/heard without/heard
# @TEST-EXEC: awk '$4 > $3 { more++ } END { exit more < 50 }' kept/heard
# @TEST-EXEC: zeek-cut records < off/eacf.log > off/records
# @TEST-EXEC: zeek-cut records < kept/eacf.log | diff off/records -
# @TEST-EXEC: test -s off/records

@TEST-START-FILE records.zeek
@load eacf
redef EACF::default_needs = EACF::Needs($payload_bytes=0, $window_bytes=0, $records=8, $chunks=F);
redef EACF::capture_wait = 100msec;
@TEST-END-FILE

# By connection: records of application data, time of the eighth, time of the last.
type Heard: record {
	n: count &default=0;
	eighth: time &default=double_to_time(0.0);
	last: time &default=double_to_time(0.0);
};

global heard: table[conn_id] of Heard &ordered;

event ssl_encrypted_data(c: connection, is_client: bool, record_version: count, content_type: count, length: count)
	{
	if ( content_type != 23 )
		return;
	if ( c$id !in heard )
		heard[c$id] = Heard();
	local h = heard[c$id];
	if ( ++h$n == 8 )
		h$eighth = network_time();
	h$last = network_time();
	}

event zeek_done()
	{
	local f = open("heard");
	for ( id, h in heard )
		print f, fmt("%s:%s-%s:%s %d %.6f %.6f", id$orig_h, id$orig_p, id$resp_h, id$resp_p, h$n, h$eighth, h$last);
	close(f);
	}

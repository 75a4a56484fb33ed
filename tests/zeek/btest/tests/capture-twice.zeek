# @TEST-DOC: Two runs over a capture write the same lines in the same order, but for uids, worker ids and latencies.
#
# @TEST-REQUIRES: command -v eacf
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: mkdir one two
# @TEST-EXEC: cd one && with-worker zeek -C -r ../demo.pcap eacf
# @TEST-EXEC: cd two && with-worker zeek -C -r ../demo.pcap eacf
# @TEST-EXEC: for run in one two; do zeek-cut ts id.orig_h id.orig_p server_name label confidence reason model sni_label payload_bytes records < $run/eacf.log > $run/flows; zeek-cut -n uid tunnel_parents < $run/conn.log > $run/connections; done
# @TEST-EXEC: diff one/flows two/flows
# @TEST-EXEC: diff one/connections two/connections

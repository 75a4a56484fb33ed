# @TEST-DOC: No worker comes: Zeek says so with the remedy, goes on, and each flow is counted no_worker.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: without-worker zeek -C -r demo.pcap eacf EACF::capture_wait=1sec
# @TEST-EXEC: zeek-cut reason < eacf.log | sort | uniq -c | awk '{ print $2 }' > reasons
# @TEST-EXEC: btest-diff reasons
# @TEST-EXEC: grep -q 'no worker came within 1.0 sec.*Remedy: eacf worker --subscribe-endpoint' reporter.log
# @TEST-EXEC: zeek-cut collected no_worker pending < eacf_stats.log | tail -1 | awk '$1 != $2 || $3 != 0 || $1 == 0 { exit 1 }'

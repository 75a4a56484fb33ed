# @TEST-DOC: A capture: each flow has its line in eacf.log, in the form that eacf replay writes, and a verdict.
#
# @TEST-REQUIRES: command -v eacf
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: with-worker zeek -C -r demo.pcap eacf
# @TEST-EXEC: zeek-cut ts id.orig_h id.orig_p id.resp_h id.resp_p server_name payload_bytes chunks records < eacf.log | sort > flows
# @TEST-EXEC: btest-diff flows
# @TEST-EXEC: grep '^#' eacf.log | grep -v -e '^#open' -e '^#close' > header
# @TEST-EXEC: eacf replay demo.pcap --log-dir ours > /dev/null
# @TEST-EXEC: grep '^#' ours/eacf.log | grep -v -e '^#open' -e '^#close' | diff - header
# @TEST-EXEC: zeek-cut label reason < eacf.log | awk '$1 == "-" && $2 != "abstained" { exit 1 }'
# @TEST-EXEC: test ! -e reporter.log || ! grep -i error reporter.log

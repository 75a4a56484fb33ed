# @TEST-DOC: Every label of eacf.log is in conn.log too, with its confidence, though most connections end before their verdict.
#
# @TEST-REQUIRES: command -v eacf
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: with-worker zeek -C -r demo.pcap eacf
# @TEST-EXEC: zeek-cut uid label confidence < eacf.log | awk '$2 != "-"' | sort > said
# @TEST-EXEC: zeek-cut uid eacf_label eacf_confidence < conn.log | awk '$2 != "-"' | sort > kept
# @TEST-EXEC: test -s said
# @TEST-EXEC: diff said kept

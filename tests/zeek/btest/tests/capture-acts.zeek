# @TEST-DOC: Of a capture the policy's acts are written down and never done, each behind the line of its flow; a connection that is left alone has none.
#
# @TEST-REQUIRES: command -v eacf
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: with-worker zeek -C -r demo.pcap %INPUT
# @TEST-EXEC: zeek-cut uid id.orig_h reason < eacf.log | awk '$3 == "abstained" && $2 !~ /^2001:/ { print $1, "qos"; print $1, "shunt" }' > wanted
# @TEST-EXEC: test -s wanted
# @TEST-EXEC: zeek-cut uid act policy < eacf_actions.log | awk '$3 == "unknown" { print $1, $2 }' | diff wanted -
# @TEST-EXEC: zeek-cut policy act priority dscp rate outcome < eacf_actions.log | sort -u > kinds
# @TEST-EXEC: btest-diff kinds
# @TEST-EXEC: zeek-cut ts until < eacf_actions.log | awk '$2 - $1 < 7199.9 || $2 - $1 > 7200.1 { exit 1 }'
# @TEST-EXEC: test ! -e netcontrol.log

@load eacf

redef EACF::policy_file = "policy.toml";

# @TEST-START-FILE policy.toml
mode = "act"    # of a capture: never
leave_alone = ["2001:db8::/64"]

[unknown]
priority = "low"
dscp = "cs1"
rate = "5mbit"
shunt = true
for = "2h"

[group.labelled]
labels = ["accuweather.com", "facebook.com", "seznam.cz"]
block = true
confidence = 0
for = "2h"
# @TEST-END-FILE

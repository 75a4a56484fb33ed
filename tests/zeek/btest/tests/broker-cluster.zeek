# @TEST-DOC: A cluster on another backend is never switched: Zeek says what is wrong and runs on.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: CLUSTER_NODE=worker-1 zeek -C -r demo.pcap %INPUT > out 2>&1
# @TEST-EXEC: cat out reporter*.log | grep -q 'runs on the cluster backend BROKER, and eacf speaks ZeroMQ alone.*Remedy'
# @TEST-EXEC: btest-diff backend
# @TEST-EXEC: cat conn*.log | grep -q '	ssl	'
# @TEST-EXEC: test ! -e eacf.log

@TEST-START-FILE cluster-layout.zeek
redef Cluster::nodes = {
	["manager"] = [$node_type=Cluster::MANAGER, $ip=127.0.0.1, $p=47760/tcp],
	["worker-1"] = [$node_type=Cluster::WORKER, $ip=127.0.0.1, $manager="manager"],
};
@TEST-END-FILE

redef Log::enable_remote_logging = F;
redef Log::enable_local_logging = T;

@load eacf

module EACF;

event zeek_init()
	{
	local f = open("backend");
	print f, Cluster::backend, active;
	close(f);
	}

# A node of a cluster runs for ever, also on a capture.
event Pcap::file_done(path: string)
	{
	terminate();
	}

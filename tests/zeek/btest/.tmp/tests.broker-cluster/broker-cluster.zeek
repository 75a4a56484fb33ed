# @TEST-DOC: A cluster on another backend is never switched: Zeek says what is wrong and runs on.
#
# @TEST-EXEC: gunzip -c $DEMO > demo.pcap
# @TEST-EXEC: CLUSTER_NODE=worker-1 zeek -C -r demo.pcap %INPUT > out 2>&1
# @TEST-EXEC: grep -q 'runs on the cluster backend BROKER, and eacf speaks ZeroMQ alone' out reporter.log
# @TEST-EXEC: btest-diff backend
# @TEST-EXEC: test ! -e eacf.log


redef Log::enable_remote_logging = F;
redef Log::enable_local_logging = T;
redef exit_only_after_terminate = F;

@load eacf

module EACF;

event zeek_init()
	{
	local f = open("backend");
	print f, Cluster::backend, active;
	close(f);
	}

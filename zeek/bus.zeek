##! Brings the bus up on a standalone Zeek, and finds out whether there is one in a cluster.
##!
##! Standalone: Zeek's ZeroMQ cluster backend with its proxy in this process, on loopback. In a cluster nothing is ever
##! switched: the cluster's own ZeroMQ backend is used, and where there is another one :zeek:see:`EACF::bus_problem` says so.

@load base/frameworks/cluster
@load base/misc/version
@load ./options

module EACF;

export {
	## What is wrong with the bus, and the remedy; empty: nothing.
	global bus_problem: function(): string;

	## Somebody on the bus has subscribed to a topic, or has left it. Runs on every bus of Zeek's ZeroMQ backend, whether that is loaded
	## before us or after us.
	global bus_subscription: hook(topic: string);
	global bus_unsubscription: hook(topic: string);

	## Where a worker hears this bus, and where it speaks to it; for messages.
	global subscribe_endpoint: function(): string;
	global publish_endpoint: function(): string;
}

# A capture, by Zeek's command line: -r and --readfile, also after other flags (-Cr FILE). Zeek itself does not know it yet
# while scripts are parsed. One that is read in pseudo-realtime is taken for live traffic.
function reads_capture(): bool
	{
	local found = F;
	for ( _, argument in zeek_args() )
		{
		if ( argument == /--pseudo-realtime(=.*)?/ )
			return F;
		if ( argument == /-[CDFMNPQSWabdhmuvV]*r.*/ || argument == /--readfile(=.*)?/ )
			found = T;
		}
	return found;
	}

redef capture = reads_capture();

function endpoint(variable: string, otherwise: string): string
	{
	local said = getenv(variable);
	return said == "" ? otherwise : said;
	}

# A capture has endpoints of its own: a live sensor on this machine is not touched, and its ports may be taken.
function subscribe_endpoint(): string
	{
	return endpoint("EACF_SUBSCRIBE_ENDPOINT", capture ? capture_subscribe_endpoint : live_subscribe_endpoint);
	}

function publish_endpoint(): string
	{
	return endpoint("EACF_PUBLISH_ENDPOINT", capture ? capture_publish_endpoint : live_publish_endpoint);
	}

@if ( ! Cluster::is_enabled() && Cluster::backend == Cluster::CLUSTER_BACKEND_BROKER )
@ifdef ( Cluster::CLUSTER_BACKEND_ZEROMQ )

@if ( Version::at_least("8.1") )
@load policy/frameworks/cluster/backend/zeromq
@else
@load policy/frameworks/cluster/backend/zeromq/connect
@endif

redef Cluster::Backend::ZeroMQ::run_proxy_thread = T;

# One subscriber that hangs with full buffers must not stop the bus for all.
redef Cluster::Backend::ZeroMQ::listen_xpub_nodrop = F;

redef Cluster::Backend::ZeroMQ::listen_xpub_endpoint = EACF::subscribe_endpoint();
redef Cluster::Backend::ZeroMQ::connect_xsub_endpoint = EACF::subscribe_endpoint();
redef Cluster::Backend::ZeroMQ::listen_xsub_endpoint = EACF::publish_endpoint();
redef Cluster::Backend::ZeroMQ::connect_xpub_endpoint = EACF::publish_endpoint();

@if ( EACF::capture )

# Nothing is dropped: packets wait instead (capture.zeek).
redef Cluster::Backend::ZeroMQ::xpub_sndhwm = 0;
redef Cluster::Backend::ZeroMQ::xsub_rcvhwm = 0;
redef Cluster::Backend::ZeroMQ::onloop_queue_hwm = 0;

# Zeek ends when we say so, and its clock is the packets', also after the last one.
redef exit_only_after_terminate = T;
redef allow_network_time_forward = F;

@endif
@endif
@endif

# The topics that hold random ids, one series each for all of them in Zeek's own telemetry.
redef Cluster::Telemetry::topic_normalizations += {
	[/^eacf\.flow\..*/] = "eacf.flow.__normalized__",
	[/^eacf\.tap\..*/] = "eacf.tap.__normalized__",
	[/^eacf\.enforce\..*/] = "eacf.enforce.__normalized__",
	[/^eacf\.enforced\..*/] = "eacf.enforced.__normalized__",
	[/^eacf\.verdict\..*/] = "eacf.verdict.__normalized__",
	[/^eacf\.control\.reply\..*/] = "eacf.control.reply.__normalized__",
};

# The name of the cluster backend, as people write it.
function backend_name(): string
	{
	return subst_string(fmt("%s", Cluster::backend), "Cluster::CLUSTER_BACKEND_", "");
	}

function bus_problem(): string
	{
@ifdef ( Cluster::CLUSTER_BACKEND_ZEROMQ )
	if ( Cluster::backend == Cluster::CLUSTER_BACKEND_ZEROMQ )
		return "";
	return fmt("this %s runs on the cluster backend %s, and eacf speaks ZeroMQ alone: no connection will be labelled. Remedy: move it to Zeek's ZeroMQ backend (ClusterBackend = ZeroMQ in zeekctl.cfg, or @load policy/frameworks/cluster/backend/zeromq/connect on every node), or do not load eacf",
	           Cluster::is_enabled() ? "cluster" : "Zeek", backend_name());
@else
	return "this Zeek was built without its ZeroMQ cluster backend: no connection will be labelled. Remedy: a Zeek with it (the packages of zeek.org have it)";
@endif
	}

# In the backend's own module, where an event may be handled that is declared later, or never.
module Cluster::Backend::ZeroMQ;

event subscription(topic: string) &is_used
	{
	hook EACF::bus_subscription(topic);
	}

event unsubscription(topic: string) &is_used
	{
	hook EACF::bus_unsubscription(topic);
	}

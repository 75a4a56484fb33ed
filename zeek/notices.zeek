##! Notices: what an analyst should look at, and what tells of our own failure. Loaded with the package; each can be
##! switched off. Only listens to events, so it can also be left out.

@load base/frameworks/notice
@load ./dispatch

module EACF;

export {
	redef enum Notice::Type += {
		## A flow got a label that the operator watches.
		Watched_Label,
		## The traffic contradicts the server name: the model knows what that name should look like, and is sure that
		## this is something else. Domain fronting, a tunnel, a spoofed name; or a model that is out of date.
		Contradicted_Server_Name,
		## No worker serves this Zeek process.
		No_Worker,
		## A worker is there and does not answer.
		Worker_Hung,
		## A worker serves another bundle than before.
		Model_Changed,
		## Flows were shed: a bound was reached.
		Flows_Shed,
		## A model and the traffic have come apart: it errs more often than it did, or flows look other than they did.
		Model_Drift,
		## The policy's file is refused; the policy before it stays, if there is one.
		Policy_Refused,
	};

	## Labels that are worth a notice.
	option watched_labels: set[string] = {};

	## Whether a contradicted server name is worth a notice.
	option notice_contradictions = T;

	## The confidence that it takes.
	option contradiction_confidence: double = 0.95;

	## Whether the lack of a worker is worth a notice, and after how long.
	option notice_no_worker = T;

	## How long that is.
	option no_worker_grace: interval = 1min;

	## Whether a worker that does not answer is worth a notice.
	option notice_worker_hung = T;

	## Whether a change of bundle is worth a notice.
	option notice_model_changed = F;

	## Whether flows that were shed are worth a notice.
	option notice_flows_shed = T;

	## Whether a model's drift is worth a notice. In a cluster the manager alone makes it.
	option notice_model_drift = T;

	## Whether a policy that is refused is worth a notice.
	option notice_policy_refused = T;

	## A notice of the same kind about the same thing is not said again for so long.
	option notice_suppression: interval = 1hr;

	## There may have been no worker for :zeek:see:`EACF::no_worker_grace`. Raised by the package itself.
	global no_worker_for_long: event();
}

# An hour of silence begins with the first flow for each pair of client and label, or client and server name.
hook labelled(info: Info)
	{
	if ( info$label in watched_labels )
		NOTICE([$note=Watched_Label, $msg=fmt("%s: a connection of %s to %s", info$label, info$id$orig_h, info$id$resp_h),
		        $sub=fmt("confidence %.3f%s", info$confidence, info?$server_name ? ", server name " + info$server_name : ""),
		        $uid=info$uid, $id=info$id, $identifier=cat(info$id$orig_h, info$label),
		        $suppress_for=notice_suppression]);
	if ( notice_contradictions && info?$sni_label && info$sni_label != info$label
	     && info$confidence >= contradiction_confidence && info?$server_name && info$server_name !in ech_public_names )
		NOTICE([$note=Contradicted_Server_Name,
		        $msg=fmt("%s says %s, the traffic looks like %s", info$server_name, info$sni_label, info$label),
		        $sub=fmt("confidence %.3f, model %s", info$confidence, info$model), $uid=info$uid, $id=info$id,
		        $identifier=cat(info$id$orig_h, info$server_name, info$label), $suppress_for=notice_suppression]);
	}

event no_worker_for_long()
	{
	if ( notice_no_worker && account$workers == 0 )
		NOTICE([$note=No_Worker, $msg=fmt("no eacf worker has served %s for %s: connections are not labelled", account$node, no_worker_grace),
		        $sub="start one with `eacf worker`, or see `eacf doctor`", $identifier=account$node,
		        $suppress_for=notice_suppression]);
	}

event worker_down(worker: string, hung: bool)
	{
	if ( hung && notice_worker_hung )
		NOTICE([$note=Worker_Hung, $msg=fmt("eacf worker %s does not answer and is set aside", worker),
		        $sub=fmt("silent for %s; it is asked again every %s", worker_timeout, worker_retry),
		        $identifier=worker, $suppress_for=notice_suppression]);
	if ( account$workers == 0 )
		schedule no_worker_grace { EACF::no_worker_for_long() };
	}

event model_changed(worker: string, was: string, is_now: string)
	{
	if ( notice_model_changed )
		NOTICE([$note=Model_Changed, $msg=fmt("eacf worker %s serves bundle %s in place of %s", worker, is_now, was),
		        $identifier=cat(worker, is_now), $suppress_for=notice_suppression]);
	}

event flows_shed(n: count)
	{
	if ( notice_flows_shed )
		NOTICE([$note=Flows_Shed, $msg=fmt("%d flows were shed on %s: more than the workers, or the bounds, take", n, account$node),
		        $sub="see eacf_stats.log; a second worker, or EACF::sample_one_in", $identifier=account$node,
		        $suppress_for=notice_suppression]);
	}

event policy_refused(path: string, why: string)
	{
	if ( notice_policy_refused )
		NOTICE([$note=Policy_Refused, $msg=fmt("policy %s is refused on %s, %s: %s", path, account$node,
		                                       has_policy ? "the one before it stays" : "nothing is done about any flow", why),
		        $sub=fmt("eacf policy check %s", path), $identifier=cat(path, why), $suppress_for=notice_suppression]);
	}

const alarm_kinds = set("accuracy", "inputs");

# Whether alarms are for this process: every worker of a cluster hears them as well.
function hears_alarms(): bool
	{
	return ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::MANAGER;
	}

event alarm(worker: string, model: string, kind: string, text: string)
	{
	# Whoever can speak on the bus can say this; what the contract does not know makes no notice.
	if ( ! notice_model_drift || ! hears_alarms() || worker != worker_id || model != model_id || kind !in alarm_kinds
	     || |text| > 255 )
		return;
	NOTICE([$note=Model_Drift, $msg=fmt("eacf worker %s, model %s (%s): %s", worker, model, kind, text),
	        $sub="see `eacf status`; what helps is a model trained on newer traffic",
	        $identifier=cat(worker, model, kind), $suppress_for=notice_suppression]);
	}

# Not in zeek_init: what is scheduled before there is a clock is due with the first packet.
event network_time_init()
	{
	if ( active && ! capture )
		schedule no_worker_grace { EACF::no_worker_for_long() };
	}

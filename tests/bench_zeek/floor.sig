# The ClientHello's look, as in Zeek's base/protocols/ssl/dpd.sig.
signature eacf_bench_client_hello {
  ip-proto == tcp
  payload /^\x16\x03[\x00\x01\x02\x03]..\x01...\x03[\x00\x01\x02\x03]/
  tcp-state originator
  enable "STREAM_EVENT"
}

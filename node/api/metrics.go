package api

import "github.com/prometheus/client_golang/prometheus"

// gauge is one number taken from a Status.
type gauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Status) float64
}

// metrics reads a Status at each scrape, so that nothing has to be kept in
// step.
type metrics struct {
	status func() Status
	rows   []gauge
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics(status func() Status) *metrics {
	row := func(kind prometheus.ValueType, name, help string, value func(Status) float64) gauge {
		return gauge{prometheus.NewDesc("hosd_"+name, help, nil, nil), kind, value}
	}
	const g, c = prometheus.GaugeValue, prometheus.CounterValue
	return &metrics{status: status, rows: []gauge{
		row(g, "height", "Height of the newest block.", func(s Status) float64 { return float64(s.Height) }),
		row(g, "block_time_seconds", "Unix time of the newest header.", func(s Status) float64 { return float64(s.Time.UnixMilli()) / 1000 }),
		row(g, "block_interval_seconds", "Time between the last two headers.", func(s Status) float64 { return s.Interval.Seconds() }),
		row(g, "p2p_peers", "Peers in the consensus network.", func(s Status) float64 { return float64(s.P2PPeers) }),
		row(g, "mesh_peers", "Peers in the mesh.", func(s Status) float64 { return float64(s.MeshPeers) }),
		row(g, "mempool_txs", "Transactions that wait for a block.", func(s Status) float64 { return float64(s.Mempool) }),
		row(g, "syncing", "1 while the node is catching up.", func(s Status) float64 { return number(s.Syncing) }),
		row(g, "indexed", "Height of the block that lists are of.", func(s Status) float64 { return float64(s.Indexed) }),
		row(g, "indexing", "1 while lists are not complete.", func(s Status) float64 { return number(s.Indexing) }),
		row(g, "validator", "1 if the node is a validator.", func(s Status) float64 { return number(s.Validator) }),
		row(g, "upgrade_height", "Height of the upgrade that is to come, 0 if none is.", Status.upgradeHeight),
		row(g, "upgrade_ready", "0 if this program must be replaced before the upgrade that is to come.", Status.upgradeReady),
		row(c, "txs_total", "Transactions executed in blocks since the start.", func(s Status) float64 { return float64(s.Txs) }),
		row(c, "txs_failed_total", "Of these, refused in the block.", func(s Status) float64 { return float64(s.Failed) }),
		row(c, "txs_submitted_total", "Transactions handed in at this node.", func(s Status) float64 { return float64(s.Submitted) }),
		row(c, "txs_refused_total", "Of these, refused before any block.", func(s Status) float64 { return float64(s.Refused) }),
		row(c, "proposals_refused_total", "Blocks of other validators that this node voted against for what stands in them.", func(s Status) float64 { return float64(s.Proposals) }),
	}}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe lists the metrics.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, r := range m.rows {
		out <- r.desc
	}
}

// Collect reads them.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	s := m.status()
	for _, r := range m.rows {
		out <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(s))
	}
}

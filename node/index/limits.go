package index

const (
	// layoutVersion goes up whenever rows change; an index of another version is
	// made anew.
	layoutVersion = 1
	// maxQueue bounds the blocks that wait in memory with their transactions;
	// those that do not fit are read from the disk when their turn comes.
	maxQueue = 64
	// maxQueueTxs bounds the transactions that wait with them.
	maxQueueTxs = 20_000
	// memTable is how much is sorted in memory before it is written: rows are
	// many and short, and each time they are written out all over again costs.
	memTable = 8 << 20
	// buildStep is how many records one batch takes from the state: commits wait
	// for the reading of one, some milliseconds.
	buildStep = 500
	// wipeStep is how many rows one batch removes.
	wipeStep = 10_000
	// fillBlocks and fillTxs bound a batch of older blocks.
	fillBlocks = 256
	fillTxs    = 2000
	// progressStep is how many records or blocks lie between two lines in the log.
	progressStep = 100_000
	// maxScan bounds the rows that are read for one part of a list: a filter that
	// few entries pass gives a short part, and where to go on.
	maxScan = 10_000
	// maxRow bounds a row that is decoded: a grant on as many devices as a
	// transaction can name.
	maxRow = 64 << 10
)

package journal

import (
	"fmt"
	"os"
	"path/filepath"
)

// The server repairs a stream whose last record is cut or harmed: it drops that record and says nothing. So the
// sizes of the streams' last files are compared before and after its start, because the repair shortens them.

// lastFiles returns the size of each stream's newest file of messages by path.
func lastFiles(store string) map[string]int64 {
	sizes := map[string]int64{}
	streams, err := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", "*", "msgs"))
	if err != nil {
		panic(err) // the pattern is well-formed
	}
	for _, dir := range streams {
		newest, number := "", -1
		files, err := os.ReadDir(dir)
		if err != nil {
			continue // the server will say so
		}
		for _, f := range files {
			n := 0
			if _, err := fmt.Sscanf(f.Name(), "%d.blk", &n); err == nil && n > number {
				newest, number = f.Name(), n
			}
		}
		if number < 0 {
			continue
		}
		path := filepath.Join(dir, newest)
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

// noteCutFiles reports what the server cut off.
func (j *Journal) noteCutFiles(before map[string]int64) {
	for path, size := range before {
		info, err := os.Stat(path)
		if err != nil || info.Size() >= size {
			continue // gone with age, or as it was
		}
		stream, lost := filepath.Base(filepath.Dir(filepath.Dir(path))), size-info.Size()
		j.losses = append(j.losses, fmt.Sprintf("%s: the last %d bytes were damaged and had to be dropped", stream, lost))
		j.opts.Logger.Error("the journal's files were damaged: what was written last is lost", "stream", stream, "bytes", lost)
	}
}

package flite

import (
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wasi "github.com/tetratelabs/wazero/sys"
)

const (
	// soundName is the one file that the program sees.
	soundName = "/sound.wav"
	// maxSound bounds it, in bytes: half an hour.
	maxSound = 30 * 60 * Rate * 2
)

// soundFolder is a folder in memory that holds the file of the sound and nothing else.
type soundFolder struct {
	sys.UnimplementedFS
	file *soundFile
}

// OpenFile implements sys.FS.
func (f *soundFolder) OpenFile(path string, flag sys.Oflag, _ fs.FileMode) (sys.File, sys.Errno) {
	if "/"+path != soundName {
		if path == "" || path == "." {
			return &folder{}, 0
		}
		return nil, sys.ENOENT
	}
	if flag&sys.O_CREAT == 0 && f.file.data == nil {
		return nil, sys.ENOENT
	}
	if flag&sys.O_TRUNC != 0 {
		f.file.data = nil
	}
	return &openSound{soundFile: f.file}, 0
}

// folder is the folder itself, opened.
type folder struct{ sys.UnimplementedFile }

// IsDir implements sys.File.
func (*folder) IsDir() (bool, sys.Errno) { return true, 0 }

// Stat implements sys.File.
func (*folder) Stat() (wasi.Stat_t, sys.Errno) {
	return wasi.Stat_t{Mode: fs.ModeDir | 0o700, Nlink: 1}, 0
}

// soundFile is the file's content.
type soundFile struct{ data []byte }

// openSound is the file, opened.
type openSound struct {
	sys.UnimplementedFile
	*soundFile
	at int64
}

// IsDir implements sys.File.
func (f *openSound) IsDir() (bool, sys.Errno) { return false, 0 }

// Stat implements sys.File.
func (f *openSound) Stat() (wasi.Stat_t, sys.Errno) {
	return wasi.Stat_t{Mode: 0o600, Nlink: 1, Size: int64(len(f.data))}, 0
}

// Read implements sys.File.
func (f *openSound) Read(p []byte) (int, sys.Errno) {
	if f.at >= int64(len(f.data)) {
		return 0, 0
	}
	n := copy(p, f.data[f.at:])
	f.at += int64(n)
	return n, 0
}

// Write implements sys.File.
func (f *openSound) Write(p []byte) (int, sys.Errno) {
	end := f.at + int64(len(p))
	if end > maxSound {
		return 0, sys.EIO
	}
	if grow := end - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	copy(f.data[f.at:], p)
	f.at = end
	return len(p), 0
}

// offset is a place in the file. With an int64, vet takes Seek for io.Seeker's.
type offset = int64

// Seek implements sys.File.
func (f *openSound) Seek(to offset, whence int) (int64, sys.Errno) {
	switch whence {
	case io.SeekCurrent:
		to += f.at
	case io.SeekEnd:
		to += int64(len(f.data))
	}
	if to < 0 || to > maxSound {
		return 0, sys.EINVAL
	}
	f.at = to
	return to, 0
}

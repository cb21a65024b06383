//go:build race

package call_test

// raceDetector says that these tests run slowly.
const raceDetector = true

//go:build race

package sip_test

// raceDetector says that these tests run slowly.
const raceDetector = true

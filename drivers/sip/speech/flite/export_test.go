package flite

// Parts shows how a text is divided.
var Parts = parts

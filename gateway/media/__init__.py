"""Audio, RTP and SDP without I/O (RFC 3550, 3551, 4733, 8866, 3264)."""

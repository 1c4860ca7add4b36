"""Every socket: SIP, RTP, the agent's WebSocket, DNS."""

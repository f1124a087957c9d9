"""Who is told of what, by chat, mail or webhook: words, receivers, and a process that sends."""

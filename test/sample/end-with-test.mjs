// The test that started this process has ended, or was killed: nothing is left to serve.
setInterval(() => {
  if (!process.connected) process.exit(1);
}, 250).unref();

/** Answers each message, until it is killed. */
process.on('message', () => process.send('answer'));
process.send('ready');

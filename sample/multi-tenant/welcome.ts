/** What to type next; each line works as it is. */
export function commandsToTry(url: string): string {
  const acme = `${url}/tenants/acme`;
  const globex = `${url}/tenants/globex`;
  return [
    `Listening on ${url}. Try:`,
    '',
    `  curl ${url}/health`,
    `  curl ${acme}/report`,
    `  curl ${acme}/executions`,
    `  curl ${acme}/executions/latest`,
    '',
    '  # all airports once more, then the first 50 only: none of those is rejected, so one task is skipped',
    `  curl -X POST ${acme}/imports`,
    `  curl -X POST ${globex}/imports -d limit=50`,
    `  curl ${globex}/executions/latest`,
    '',
    '  # the same key twice is one import',
    `  curl -X POST ${acme}/imports -d limit=200 -d key=monday`,
    `  curl -X POST ${acme}/imports -d limit=200 -d key=monday`,
    '',
    '  # one that begins in an hour; cancel it; have it run now after all',
    `  curl -X POST ${acme}/imports -d delay=1h`,
    `  curl -X POST ${acme}/executions/latest/cancel`,
    `  curl -X POST ${acme}/executions/latest/retry`,
    `  curl '${acme}/executions?workflow=airport-chunk&limit=3'`,
    '',
    'Ctrl-C stops it.',
  ].join('\n');
}

import type { VersionsResponse } from '../../../lib/dashboard/http-types.js';
import { tenantApi } from '../core/api.js';
import { formatCount } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { Ago, Card, Loaded, Name, Table } from '../ui/parts.js';

/** How many characters of a definition's id tell it from others. */
const SHORT = 8;

/** The definitions of a workflow: which releases started executions, and what still runs on old ones. */
export function Versions({ tenant, workflow }: { tenant: string; workflow: string }) {
  const versions = useResource<VersionsResponse>(
    tenantApi(tenant, 'workflows', workflow, 'versions'),
    tenant,
  );
  return (
    <Card title="Versions" side={<span class="dim small">newest first</span>}>
      <Loaded
        from={versions}
        isEmpty={(data) => data.versions.length === 0}
        empty="No process has registered this workflow in the tenant yet."
      >
        {(data) => (
          <Table
            label="Versions"
            columns={[
              'Version',
              'Still run',
              'First start',
              'Last start',
              'Registered',
              'Definition',
            ]}
          >
            {data.versions.map((one, no) => (
              <tr key={one.definitionId}>
                <td>
                  {one.version === undefined ? (
                    <span class="dim">–</span>
                  ) : (
                    <Name text={one.version} max={32} />
                  )}{' '}
                  {no === 0 ? <span class="tag">newest</span> : null}
                </td>
                <td class={one.open.count === 0 ? 'number dim' : 'number'}>
                  {formatCount(one.open)}
                </td>
                <td>
                  <Ago at={one.firstStartedAt} />
                </td>
                <td>
                  <Ago at={one.lastStartedAt} />
                </td>
                <td>
                  <Ago at={one.registeredAt} />
                </td>
                <td class="mono">
                  <span title={one.definitionId}>{one.definitionId.slice(0, SHORT)}</span>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Loaded>
    </Card>
  );
}

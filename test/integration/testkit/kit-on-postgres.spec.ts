import { describeApart } from '../../unit/testkit/describe-apart.js';
import { describeCrashes } from '../../unit/testkit/describe-crashes.js';
import { describeKit } from '../../unit/testkit/describe-kit.js';

describeKit('postgres');
describeCrashes('postgres');
describeApart('postgres');

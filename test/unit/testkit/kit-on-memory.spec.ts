import { describeApart } from './describe-apart.js';
import { describeCrashes } from './describe-crashes.js';
import { describeKit } from './describe-kit.js';

describeKit('memory');
describeCrashes('memory');
describeApart('memory');

import { drivers } from '../support/app.ts';
import { testFlows } from './every-flow.ts';

// One moment of each kind in each flow, another one in each; all of them: npm run test:moments.
for (const driver of drivers) testFlows(driver, 'sample');

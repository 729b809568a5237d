// For one workload only ("hash left out"): password hashing costs nothing in the server that loads this first.
import { registerHooks } from 'node:module';

const stub = `
export const hash = async () => '$argon2id$v=19$m=19456,t=2,p=1$c3R1YnN0dWJzdHVi$c3R1YnN0dWJzdHVic3R1YnN0dWJzdHVic3R1YnN0dWI';
export const verify = async (_hash, password) => password === 'correct horse battery staple';
`;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== '@node-rs/argon2') return next(specifier, context);
    return { url: `data:text/javascript,${encodeURIComponent(stub)}`, shortCircuit: true };
  },
});

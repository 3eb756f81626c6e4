// What every imapflow program here begins with: the arguments that say where and who, and how steps are told.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [folder, port, user, pass, certificate, ...rest] = process.argv.slice(2);
const { ImapFlow } = createRequire(`${folder}/`)('imapflow');

export const more = rest;

export const tell = (step, found) => process.stdout.write(JSON.stringify({ step, found }) + '\n');

export const newClient = (options = {}) =>
    new ImapFlow({
        host: 'localhost',
        port: Number(port),
        secure: true,
        auth: { user, pass },
        tls: { ca: readFileSync(certificate) },
        logger: false,
        ...options,
    });

// imapflow with QRESYNC: opens INBOX, by what it knew of it where that is given, and prints what it is told.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [folder, port, user, pass, certificate, uidValidity, changedSince] = process.argv.slice(2);
const { ImapFlow } = createRequire(`${folder}/`)('imapflow');
const tell = (step, found) => process.stdout.write(JSON.stringify({ step, found }) + '\n');

const client = new ImapFlow({
    host: 'localhost',
    port: Number(port),
    secure: true,
    auth: { user, pass },
    tls: { ca: readFileSync(certificate) },
    logger: false,
    qresync: true,
});
const gone = [];
const flagged = [];
client.on('expunge', ({ uid, vanished, earlier }) => gone.push([uid, vanished, earlier]));
client.on('flags', ({ uid, flags }) => flagged.push([uid, [...flags].filter(flag => flag !== '\\Recent')]));
await client.connect();
tell('enabled', [...client.enabled]);

const known = uidValidity ? { uidValidity, changedSince: BigInt(changedSince) } : {};
const mailbox = await client.mailboxOpen('INBOX', known);
tell('opened', {
    uidValidity: String(mailbox.uidValidity),
    modseq: String(mailbox.highestModseq),
    exists: mailbox.exists,
    gone: [...gone],
    flagged: [...flagged],
});

if (uidValidity) {
    gone.length = 0;
    const [last] = (await client.search({ all: true }, { uid: true })).slice(-1);
    await client.messageFlagsAdd(last, ['\\Deleted'], { uid: true });
    await client.messageDelete(last, { uid: true });
    tell('deleted', { last, gone, exists: client.mailbox.exists });
}
await client.logout();

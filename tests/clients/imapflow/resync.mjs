// imapflow with QRESYNC: opens INBOX, by what it knew of it where that is given, and prints what it is told.
import { more, newClient, tell } from './client.mjs';

const [uidValidity, changedSince] = more;
const client = newClient({ qresync: true });
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

// Brings the example files of the pack's workflows into ComfyUI's input folder when such a workflow is opened.
// A file that is there already is never replaced. Without this script the files must be copied by hand.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const EXAMPLE = "emo_example"; // Property of the nodes that show an example.

function examplesOf(workflow) {
    const nodes = workflow?.nodes ?? [];
    const shown = nodes.filter((node) => node.properties?.[EXAMPLE] && node.properties[EXAMPLE] === node.widgets_values?.[0]);
    return [...new Set(shown.map((node) => node.properties[EXAMPLE]))];
}

async function isInInput(name) {
    const answer = await api.fetchApi(`/view?type=input&filename=${encodeURIComponent(name)}`, { method: "HEAD" });
    return answer.status !== 404;
}

async function copyToInput(name) {
    const example = await api.fetchApi(`/emo/examples/${encodeURIComponent(name)}`);
    if (!example.ok) throw new Error(`${name}: the server answers ${example.status}`);
    const form = new FormData();
    form.append("image", new File([await example.blob()], name));
    const answer = await api.fetchApi("/upload/image", { method: "POST", body: form });
    if (!answer.ok) throw new Error(`${name}: the server answers ${answer.status}`);
}

app.registerExtension({
    name: "emo.examples",
    async beforeConfigureGraph(workflow) {
        try {
            let copied = false;
            for (const name of examplesOf(workflow)) {
                if (await isInInput(name)) continue;
                await copyToInput(name);
                copied = true;
            }
            if (copied) await app.refreshComboInNodes();
        } catch (error) {
            console.warn(`EMO: the example files are not in the input folder: ${error.message}`);
        }
    },
});

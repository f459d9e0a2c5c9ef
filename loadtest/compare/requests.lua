-- Lets wrk send one request for every line of a file, and stops it after the last.
-- Lines are "CODE<TAB>TOKEN<TAB>VISIT". Submits an application made from the template in the second argument. With
-- OPEN_SESSIONS set, opens sessions with identity tokens instead and writes their lines to the second argument.
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

local opens = os.getenv("OPEN_SESSIONS")
local lines, template, written = {}, nil, nil
-- wrk calls request() once beforehand, to see whether requests differ, and does not send that one.
local at = -1

-- Ends the run early, as Ctrl-C does.
local function finish()
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
end

function init(arguments)
    for line in io.lines(arguments[1]) do lines[#lines + 1] = line end
    if opens then
        written = io.open(arguments[2], "w")
    else
        local file = io.open(arguments[2])
        template = file:read("*a")
        file:close()
    end
end

function request()
    at = at + 1
    local line = lines[math.max(at, 1)]
    if not line then
        finish()
        line = lines[#lines]
    end
    local code, token, visit = line:match("^(%S+)\t(%S+)\t(%S+)$")
    local path = "/v1/sessions/" .. visit
    local headers = { ["Authorization"] = "Bearer " .. token }
    if opens then return wrk.format("PUT", path, headers) end
    headers["Content-Type"] = "application/json"
    headers["Idempotency-Key"] = "1"
    local body = template:gsub("PERSON", code)
    return wrk.format("POST", path .. "/applications", headers, body)
end

-- Only to open sessions: over one connection, so that replies arrive in the order of requests.
local answered = 0
if opens then
    function response(status, headers, body)
        answered = answered + 1
        local line = lines[answered]
        if not line then return end
        local token = body:match('"token":"([^"]+)"')
        if status ~= 201 or not token then
            io.stderr:write("session " .. answered .. ": " .. status .. " " .. body .. "\n")
            os.exit(1)
        end
        written:write(line:match("^%S+"), "\t", token, "\t", line:match("%S+$"), "\n")
        written:flush()
        if answered == #lines then finish() end
    end
end

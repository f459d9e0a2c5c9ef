-- Lets wrk send one request for every line of a file, and stops it after the last.
-- Lines are "CODE<TAB>TOKEN". With OPEN_SESSIONS set, writes the session tokens of the replies to the third argument.
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

local lines, method_path, template, written = {}, nil, nil, nil
-- wrk calls request() once beforehand, to see whether requests differ, and does not send that one.
local at = -1

-- Ends the run early, as Ctrl-C does.
local function finish()
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
end

function init(arguments)
    method_path = arguments[1]
    for line in io.lines(arguments[2]) do lines[#lines + 1] = line end
    if method_path == "/v1/applications" then
        local file = io.open(arguments[3])
        template = file:read("*a")
        file:close()
    else
        written = io.open(arguments[3], "w")
    end
end

function request()
    at = at + 1
    local line = lines[math.max(at, 1)]
    if not line then
        finish()
        line = lines[#lines]
    end
    local code, token = line:match("^(%S+)\t(%S+)$")
    local headers = { ["Authorization"] = "Bearer " .. token }
    local body = nil
    if template then
        headers["Content-Type"] = "application/json"
        headers["Idempotency-Key"] = "1"
        body = template:gsub("PERSON", code)
    end
    return wrk.format("POST", method_path, headers, body)
end

-- Only to open sessions: over one connection, so that replies arrive in the order of requests.
local answered = 0
if os.getenv("OPEN_SESSIONS") then
    function response(status, headers, body)
        answered = answered + 1
        local line = lines[answered]
        if not line then return end
        local token = body:match('"token":"([^"]+)"')
        if status ~= 201 or not token then
            io.stderr:write("session " .. answered .. ": " .. status .. " " .. body .. "\n")
            os.exit(1)
        end
        written:write(line:match("^%S+"), "\t", token, "\n")
        written:flush()
        if answered == #lines then finish() end
    end
end
